export {
  type AddedJob,
  type FromBullMqOptions,
  fromBullMq,
  type ResilientBullMqQueue,
} from './from-bullmq.js';
