export const JOB_NAME = 'faq.generate';

/** The payload of the n-th job: about 150 bytes of JSON, made anew for each as a service would. */
export function payloadOf(n: number) {
  return {
    question: 'What happens to a job when Redis is away for a while, and who runs it afterwards?',
    repo: 'RC918/morningai',
    user: n,
    tags: ['faq', 'redis'],
  };
}
