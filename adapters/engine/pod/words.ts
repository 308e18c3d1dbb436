/** What Kubernetes accepts for names, labels and quantities: refused here, it is told before anything is created. */

const LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";
const WORD = "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?";
const SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const DNS_LABEL = new RegExp(`^${LABEL}$`);
const KEY_NAME = new RegExp(`^${WORD}$`);
const QUANTITY = /^(\d{1,15}(?:\.\d{1,9})?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/;

/** A name of most kinds (RFC 1123 subdomain). */
export function isName(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}

/** A namespace's name, or a volume's (RFC 1123 label). */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}

/** A key of labels or annotations: a name, perhaps with the prefix of a domain. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf("/");
  const name = text.slice(slash + 1);
  return name.length <= 63 && KEY_NAME.test(name) && (slash < 0 || isName(text.slice(0, slash)));
}

/** A label's value; it may be empty. */
export function isLabelValue(text: string): boolean {
  return text === "" || (text.length <= 63 && KEY_NAME.test(text));
}

/** A variable's name as every shell and Kubernetes take it. */
export function isVariable(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(text) && text.length <= 253;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
export function isQuantity(text: string): boolean {
  return QUANTITY.test(text);
}

/** By how many of the smallest unit (a thousandth) each suffix multiplies: whole numbers compare exactly. */
const POWERS: Record<string, number> = {
  "": 1e3,
  m: 1,
  k: 1e6,
  M: 1e9,
  G: 1e12,
  T: 1e15,
  P: 1e18,
  Ki: 1e3 * 2 ** 10,
  Mi: 1e3 * 2 ** 20,
  Gi: 1e3 * 2 ** 30,
  Ti: 1e3 * 2 ** 40,
  Pi: 1e3 * 2 ** 50,
};

/** How much a quantity is, in thousandths of its unit (cores, bytes); NaN for what is none. */
export function amountOf(text: string): number {
  const [, number = "NaN", suffix = ""] = QUANTITY.exec(text) ?? [];
  // Rounded: 0.7 of a core is 700 thousandths, and not a hair more.
  return Math.round(Number(number) * (POWERS[suffix] ?? NaN));
}
