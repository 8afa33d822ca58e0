import { makeScript, type Script } from './script.js';

/** What `lay` returns as its error when a job of this id is there already, of which recognition knows nothing. */
export const IS_THERE = 'RSQ_IS_THERE';

/**
 * The two scripts that a transport delivers with: each lays every job down and sets its bit, or recognises it.
 *
 * `lay` is Lua source that defines `local function lay(at, id, enqueuedAt, full)`: it writes one job whose own arguments
 * start at `ARGV[at]`, returns nothing or an error table, never raises, and leaves nothing behind when it returns an error.
 * A job has `plain` arguments of its own, or `full` in a full run. An error of `RSQ_IS_THERE` makes the job a duplicate: as
 * with every other, its bit and its marker are taken back.
 *
 * Why they are as they are:
 * - The witness is read before anything is written: afterwards this batch's own bits would hide a hole.
 * - The bit comes first and is taken back on an error. Last, a refused SETBIT doubles the job; first and kept, the job is
 *   lost as a duplicate. Nothing is raised once something is written.
 * - Bits are only read and written by BITFIELD: whoever may set one may take it back.
 * - A marker is taken back by an empty one that expires: that needs no other right than writing it did, and until it is gone
 *   nobody takes it for a job's. An own marker without the bit is not a delivery either.
 * - The bitmaps have no expiry: eviction takes just those keys that have one.
 */
export interface RecognitionScripts {
  /** For any batch. */
  readonly general: Script;
  /** For batches of one epoch, noted lately, without callers' ids or extras: a third of the work in Redis. */
  readonly usual: Script;
}

/**
 * Makes a transport's scripts, once for all its queues, of `lay`, the Lua source that writes one job ({@link RecognitionScripts} says what
 * it has to keep to). `plain` and `full` are how many arguments of its own a job has in either form: as many as `Layout.write()`
 * appends.
 */
export function recognitionScripts(lay: string, plain: number, full: number): RecognitionScripts {
  return { general: generalScript(lay, plain, full), usual: usualScript(lay, plain) };
}

/**
 * KEYS: 1 the transport's key, 2 the epoch's bitmap, then what the layout has of its own (`Layout`).
 *
 * ARGV: 1 the batch's id, 2 the witness's seq (any, if none is asked for), 3 the epoch and a dash, then runs. A run is jobs
 * whose seq follow each other: count, first seq, enqueuedAt; then each job's arguments.
 *
 * Reply: `<batch's id>:<witness's bit, or nothing>` when every job was laid down, else as the general script's.
 *
 * The bits of up to 32 jobs are set and read by one call; the highest of the number that comes back is the first job's. A lone
 * job that all goes well with is spared the loops and every number's way into text and back: a fifth of its time in Redis.
 */
function usualScript(lay: string, plain: number): Script {
  return makeScript(`${lay}
local seen, prefix, pcall = KEYS[2], ARGV[3], redis.pcall
if not ARGV[${7 + plain}] then
  local bits = pcall('BITFIELD', seen, 'GET', 'u1', ARGV[2], 'SET', 'u1', ARGV[5], '1')
  if bits[2] == 0 then
    local answer = lay(7, prefix .. ARGV[5], ARGV[6], false)
    if not (type(answer) == 'table' and answer.err) then
      return ARGV[1] .. (bits[1] == 1 and ':1' or ':0')
    end
    pcall('BITFIELD', seen, 'SET', 'u1', ARGV[5], '0')
  end
end
local at, done, witness, letters, refusals = 4, 0, nil, nil, {}
local function other(letter)
  letters = letters or {}
  letters[done + 1] = letter
end
while ARGV[at] do
  local offset, enqueuedAt = tonumber(ARGV[at + 1]), ARGV[at + 2]
  local last = offset + ARGV[at] - 1
  at = at + 3
  while offset <= last do
    local count = math.min(32, last - offset + 1)
    local bits = pcall('BITFIELD', seen, 'GET', 'u1', ARGV[2], 'SET', 'u' .. count, offset, 2 ^ count - 1)
    local old, weight = bits[2], 2 ^ count
    witness = witness or bits[1] or ''
    for o = offset, offset + count - 1 do
      weight = weight / 2
      if bits.err then
        other('e')
        refusals[#refusals + 1] = bits.err
      elseif old >= weight then
        old = old - weight
        other('r')
      else
        local answer = lay(at, prefix .. o, enqueuedAt, false)
        if type(answer) == 'table' and answer.err then
          pcall('BITFIELD', seen, 'SET', 'u1', o, 0)
          other('e')
          refusals[#refusals + 1] = answer.err
        end
      end
      done = done + 1
      at = at + ${plain}
    end
    offset = offset + count
  end
end
if not letters then return ARGV[1] .. ':' .. witness end
for i = 1, done do letters[i] = letters[i] or 'l' end
local reply = { ARGV[1], tostring(witness), table.concat(letters) }
for i = 1, #refusals do reply[3 + i] = refusals[i] end
return reply
`);
}

/**
 * KEYS: 1 the transport's key, 2 the epochs, then the epochs' bitmaps, then the markers of the full jobs in their order, then
 * what the layout has of its own.
 *
 * ARGV: 1 the batch's id, 2 how many epochs, 3 the witness's epoch (its place, 0 = none), 4 the witness's seq, 5 the
 * marker's window in ms, 6 `1` to note the epochs' use, then the epochs' names, then runs. A run is jobs whose seq follow
 * each other: count, epoch (its place), first seq, enqueuedAt, `1` if full; then each job's arguments, followed in a full
 * run by the caller's id, `''` for none.
 *
 * Reply: the batch's id, the witness's bit (`''` = none asked for), a letter a job (see `readReply`), then the text of
 * each refusal.
 */
function generalScript(lay: string, plain: number, full: number): Script {
  return makeScript(`${lay}
local pcall = redis.pcall
local epochCount = tonumber(ARGV[2])
local witnessAt = tonumber(ARGV[3])
local reply = { ARGV[1], '', '' }
local letters = {}
local function refuse(answer)
  letters[#letters + 1] = 'e'
  reply[#reply + 1] = answer.err
end
if witnessAt > 0 then
  local bits = pcall('BITFIELD', KEYS[2 + witnessAt], 'GET', 'u1', ARGV[4])
  reply[2] = bits[1] and tostring(bits[1]) or ''
end
local noted = nil
if ARGV[6] == '1' then
  local now = redis.call('TIME')[1]
  for e = 1, epochCount do
    local answer = pcall('ZADD', KEYS[2], now, ARGV[6 + e])
    if type(answer) == 'table' and answer.err then noted = answer end
  end
end
local marker = 2 + epochCount
local at = 7 + epochCount
while ARGV[at] do
  local count, epochAt, seq = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local enqueuedAt, isFull = ARGV[at + 3], ARGV[at + 4] == '1'
  local seen, prefix = KEYS[2 + epochAt], ARGV[6 + epochAt] .. '-'
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
        local holder = pcall('GET', held)
        if type(holder) == 'table' then
          failed = holder
        elseif holder and holder ~= '' and holder ~= delivery then
          local bits = pcall('BITFIELD', seen, 'GET', 'u1', offset)
          if bits.err then failed = bits else other = bits[1] == 0 end
        end
      end
    end
    if failed then
      refuse(failed)
    elseif other then
      letters[#letters + 1] = 'd'
    else
      local bits = pcall('BITFIELD', seen, 'SET', 'u1', offset, 1)
      if bits.err then
        refuse(bits)
      elseif bits[1] == 1 then
        letters[#letters + 1] = 'r'
      else
        local marked = held and pcall('SET', held, delivery, 'PX', ARGV[5])
        local answer = marked
        if not (type(marked) == 'table' and marked.err) then
          answer = lay(at, id, enqueuedAt, isFull)
        end
        if type(answer) == 'table' and answer.err then
          pcall('BITFIELD', seen, 'SET', 'u1', offset, 0)
          if held then pcall('SET', held, '', 'PX', 1) end
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
