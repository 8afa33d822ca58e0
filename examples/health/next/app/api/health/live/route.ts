import { health } from '@/queue';

export const GET = health.fetchHandler('liveness');
