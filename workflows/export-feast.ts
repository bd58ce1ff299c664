import { patched } from '@temporalio/workflow';
import { publish, type ProfileSettings } from './profiles.js';

/** Brings Feast's registry file in line with what is registered. Runs of an earlier release did not. */
export async function exportFeast(settings: ProfileSettings): Promise<void> {
  if (patched('feast-registry')) await publish(settings, 'write registry.pb').exportFeast();
}
