export type { NotMadeReason } from './check.js';
export { type DiagnoseOptions, type DoctorTarget, diagnose } from './diagnose.js';
export type {
  CheckGroup,
  CheckReport,
  DoctorReport,
  FailureCause,
  StageReport,
  Verdict,
} from './doctor-report.js';
export { formatReport, type ReportLook } from './format-report.js';
export type { DoctorTransport } from './needed-rights.js';
export { NoClientError } from './open-client.js';
export type { StageName } from './stages/stage.js';
export type { ConnectionConfig } from './target.js';
