// Health endpoints in NestJS 12 with @nestjs/terminus 12, and a queue that Nest closes.
//   npx tsx examples/health/nest.ts          (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000)
//   curl -i localhost:3000/health/live       this process answers, whatever Redis does
//   curl -i localhost:3000/health/ready      200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/health/redis      503 while Redis takes no writes
//   curl -i localhost:3000/jobs -H 'content-type: application/json' -d '{ "question": "What if Redis is down?" }'
// Needs "experimentalDecorators" in tsconfig.json. `@Inject` says what the types would say with "emitDecoratorMetadata", which
// tsx (esbuild) has not: drop it where tsc or swc builds your service.
import 'reflect-metadata';
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Module,
  type OnApplicationShutdown,
  Post,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Redis } from 'ioredis';

class Jobs implements OnApplicationShutdown {
  readonly #redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
  readonly queue = new ResilientQueue('orchestrator', {
    redis: this.#redis,
    backup: new MemoryBackupStore(),
  });

  // Nest's last hook: every request that was under way is answered.
  async onApplicationShutdown(): Promise<void> {
    const { pending } = await this.queue.close();
    this.#redis.disconnect();
    console.log(`closed, ${pending} jobs were left in the backup`);
  }
}

@Controller('jobs')
class JobsController {
  constructor(@Inject(Jobs) private readonly jobs: Jobs) {}

  @Post()
  @HttpCode(202)
  enqueue(@Body() faq: { question: string }) {
    return this.jobs.queue.enqueue('faq.generate', faq);
  }
}

@Controller('health')
class HealthController {
  readonly #health;

  constructor(
    @Inject(HealthCheckService) private readonly terminus: HealthCheckService,
    @Inject(Jobs) jobs: Jobs,
  ) {
    this.#health = createHealth(jobs.queue);
  }

  @Get('live')
  @HealthCheck()
  live() {
    return this.terminus.check([this.#health.nestIndicator('liveness', 'process')]);
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.terminus.check([this.#health.nestIndicator('readiness', 'queue')]);
  }

  @Get('redis')
  @HealthCheck()
  redis() {
    return this.terminus.check([this.#health.nestIndicator('redis')]);
  }
}

@Module({
  imports: [TerminusModule],
  controllers: [JobsController, HealthController],
  providers: [Jobs],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
// Without it Nest calls no hook on SIGTERM. useProcessExit: it then ends with 0, not by the signal.
app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
await app.listen(Number(process.env.PORT ?? 3000));
console.log(`listening on ${await app.getUrl()}`);
