import { queue } from '@/queue';

export async function POST(request: Request): Promise<Response> {
  return Response.json(await queue().enqueue('faq.generate', await request.json()), { status: 202 });
}
