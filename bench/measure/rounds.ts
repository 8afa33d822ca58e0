/**
 * Measures every contestant once a round, so that what the machine does meanwhile hits all alike; each round begins with
 * another one, so that none always follows the same. Resolves with each one's samples, one a round.
 */
export async function inRounds<Contestant, Sample>(
  contestants: readonly Contestant[],
  rounds: number,
  measure: (contestant: Contestant, round: number) => Promise<Sample>,
): Promise<Map<Contestant, Sample[]>> {
  const samples = new Map<Contestant, Sample[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const contestant = contestants[(i + round) % contestants.length] as Contestant;
      samples.get(contestant)?.push(await measure(contestant, round));
    }
  }
  return samples;
}
