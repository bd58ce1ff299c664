/** A card transaction as the table `transactions` has it. */
export interface Transaction {
  readonly transactionid: string;
  readonly customerid: string;
  /** `1984-03-09`. */
  readonly customerdob: string;
  readonly custlocation: string;
  readonly custaccountbalance: number;
  readonly transactionamount: number;
  /** ISO-8601, UTC. */
  readonly timestamp: string;
  readonly isfraud: boolean;
}

const CITIES = ['MUMBAI', 'DELHI', 'PUNE', 'CHENNAI', 'JAMSHEDPUR', 'KOLKATA', 'JHAJJAR', 'GURGAON'] as const;
const CUSTOMERS = 500;
const FIRST_DAY = Date.UTC(2025, 0, 1);
const DAYS = 180;
const DAY_MS = 86_400_000;

/**
 * Transactions of 500 customers over 180 days of 2025, in order of time; about 3 % are fraud: well above what the customer
 * usually spends, and at night. The same seed gives the same rows.
 */
export function generateTransactions(count: number, seed = 20_250_101): Transaction[] {
  const random = mulberry32(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const customers = Array.from({ length: CUSTOMERS }, (_, i) => ({
    id: `C${1_210_000 + i * 37}`,
    born: new Date(Date.UTC(1950 + Math.floor(random() * 55), 0, 1 + Math.floor(random() * 365))),
    city: pick(CITIES),
    balance: cents(500 + random() ** 3 * 200_000),
    // Some customers buy far more, and more often, than others.
    usual: 15 + random() ** 2 * 900,
  }));
  const times = Array.from({ length: count }, () => FIRST_DAY + Math.floor(random() * DAYS * DAY_MS)).sort(
    (a, b) => a - b,
  );
  return times.map((time, i) => {
    const customer = customers[Math.floor(random() ** 1.5 * CUSTOMERS)] ?? pick(customers);
    const isfraud = random() < 0.03;
    const at = isfraud ? time - (time % DAY_MS) + Math.floor(random() * 5 * 3_600_000) : time;
    const factor = isfraud ? 3 + random() * 9 : 0.2 + random() * 1.8;
    return {
      transactionid: `T${i + 1}`,
      customerid: customer.id,
      customerdob: customer.born.toISOString().slice(0, 10),
      custlocation: customer.city,
      custaccountbalance: customer.balance,
      transactionamount: cents(customer.usual * factor),
      timestamp: new Date(at).toISOString(),
      isfraud,
    };
  });
}

const cents = (amount: number): number => Math.round(amount * 100) / 100;

/** Tommy Ettinger's generator of 32 bits of state: small, and the same everywhere. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
