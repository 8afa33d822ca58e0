import { makeScript, type Script } from './script.js';

/**
 * The one script that every transport delivers with: it lays each job down and sets its bit, or recognises it.
 *
 * `lay` is Lua source that defines `local function lay(at, id, enqueuedAt, full)`: it writes one job whose own arguments
 * start at `ARGV[at]`, returns nothing or an error table, never raises, and leaves nothing behind when it returns an error.
 * A job has `plain` arguments of its own, or `full` in a full run.
 *
 * KEYS: 1 the transport's key, 2 the epochs, then the epochs' bitmaps, then the markers of the full jobs in their order.
 *
 * ARGV: 1 the batch's id, 2 how many epochs, 3 the witness's epoch (its place, 0 = none), 4 the witness's seq, 5 the
 * marker's window in ms, then the epochs' names, then runs. A run is jobs whose seq follow each other: count, epoch (its
 * place), first seq, enqueuedAt, `1` if full; then each job's arguments, followed in a full run by the caller's id, `''` for
 * none.
 *
 * Reply: the batch's id, the witness's bit (`''` = none asked for), a letter a job (see `readReply`), then the text of
 * each refusal.
 *
 * Why it is as it is:
 * - The witness is read before anything is written: afterwards this batch's own bits would hide a hole.
 * - The bit comes first and is taken back on an error. Last, a refused SETBIT doubles the job; first and kept, the job is
 *   lost as a duplicate. Nothing is raised once something is written.
 * - A marker is taken back by an empty one that expires: that needs no other right than writing it did, and until it is gone
 *   nobody takes it for a job's. An own marker without the bit is not a delivery either.
 * - The bitmaps have no expiry: eviction takes just those keys that have one.
 */
export function recognitionScript(lay: string, plain: number, full: number): Script {
  return makeScript(`${lay}
local epochCount = tonumber(ARGV[2])
local witnessAt = tonumber(ARGV[3])
local reply = { ARGV[1], '', '' }
local letters = {}
local function refuse(answer)
  letters[#letters + 1] = 'e'
  reply[#reply + 1] = answer.err
end
if witnessAt > 0 then
  local bit = redis.pcall('GETBIT', KEYS[2 + witnessAt], ARGV[4])
  reply[2] = type(bit) == 'number' and tostring(bit) or ''
end
local now = redis.call('TIME')[1]
local noted = nil
for e = 1, epochCount do
  local answer = redis.pcall('ZADD', KEYS[2], now, ARGV[5 + e])
  if type(answer) == 'table' and answer.err then noted = answer end
end
local marker = 2 + epochCount
local at = 6 + epochCount
while ARGV[at] do
  local count, epochAt, seq = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local enqueuedAt, isFull = ARGV[at + 3], ARGV[at + 4] == '1'
  local seen, prefix = KEYS[2 + epochAt], ARGV[5 + epochAt] .. '-'
  at = at + 5
  for offset = seq, seq + count - 1 do
    local id, held, failed = prefix .. offset, nil, noted
    local delivery, other = id, false
    if isFull then
      local callersId = ARGV[at + ${full}]
      if callersId ~= '' then
        id = callersId
        marker = marker + 1
        held = KEYS[marker]
        local holder = redis.pcall('GET', held)
        if type(holder) == 'table' then
          failed = holder
        elseif holder and holder ~= '' and holder ~= delivery then
          local bit = redis.pcall('GETBIT', seen, offset)
          if type(bit) == 'table' then failed = bit else other = bit == 0 end
        end
      end
    end
    if failed then
      refuse(failed)
    elseif other then
      letters[#letters + 1] = 'd'
    else
      local bit = redis.pcall('SETBIT', seen, offset, 1)
      if type(bit) == 'table' then
        refuse(bit)
      elseif bit == 1 then
        letters[#letters + 1] = 'r'
      else
        local marked = held and redis.pcall('SET', held, delivery, 'PX', ARGV[5])
        local answer = marked
        if not (type(marked) == 'table' and marked.err) then
          answer = lay(at, id, enqueuedAt, isFull)
        end
        if type(answer) == 'table' and answer.err then
          redis.pcall('SETBIT', seen, offset, 0)
          if held then redis.pcall('SET', held, '', 'PX', 1) end
          refuse(answer)
        else
          letters[#letters + 1] = 'l'
        end
      end
    end
    at = at + (isFull and ${full + 1} or ${plain})
  end
end
reply[3] = table.concat(letters)
return reply
`);
}
