import { health } from '@/queue';

export const GET = (request: Request) => health(request).fetchHandler('liveness')(request);
