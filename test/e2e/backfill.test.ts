import { join } from 'node:path';
import { expect, it } from 'vitest';
import { shop } from '../fixtures/shop.js';
import { createWorld } from '../support/world.js';

it('makes every interval of a span that was never made', async () => {
  await using world = await createWorld();
  const { project } = await shop(world.name, join(world.folder, 'a'));
  await world.withWorker(project, async (client) => {
    const t = Date.now();
    const handle = await client.backfill({ pipeline: 'shop_daily' });
    const end = await handle.result();
    console.log(Date.now() - t, JSON.stringify(end, null, 1));
    const h = await world.temporal.workflow.getHandle(handle.workflowId).fetchHistory();
    console.log(h.events?.length);
    const by = new Map();
    const sched = new Map();
    for (const e of h.events ?? []) { const at = Number(e.eventTime?.seconds)*1000+(e.eventTime?.nanos??0)/1e6; const a = e.activityTaskScheduledEventAttributes; if (a) sched.set(Number(e.eventId), {t: at, n: a.activityType?.name});
      const st = e.activityTaskStartedEventAttributes; if (st) { const q = sched.get(Number(st.scheduledEventId)); q.s = at; q.att = st.attempt; q.f = st.lastFailure?.message }
      const c = e.activityTaskCompletedEventAttributes; if (c) { const q = sched.get(Number(c.scheduledEventId)); const l = by.get(q.n) ?? {n:0,wait:0,run:0,retr:0}; l.n++; l.wait += q.s-q.t; l.run += at-q.s; if (q.att>1) {l.retr++; l.f=q.f} by.set(q.n,l);} 
    }
    console.log([...by].map(([k,v])=>k+' '+JSON.stringify(v)).join('\n'));
    expect(end.status).toBe('COMPLETED');
  });
});
