import { health } from '@/queue';

export const GET = (request: Request) => health(request).fetchHandler('readiness')(request);
