/**
 * As much of the DOM as the page's script uses, types only. The compiler's own `dom` library cannot be had beside
 * Deno's in one program: it takes away the headers of Deno's WebSocket, which the runner needs.
 */

/** https://dom.spec.whatwg.org/#node */
export interface PageNode {
  readonly nodeName: string;
  readonly nodeType: number;
  readonly childNodes: ArrayLike<PageNode>;
  nodeValue: string | null;
  textContent: string | null;
  appendChild(node: PageNode): PageNode;
  insertBefore(node: PageNode, before: PageNode): PageNode;
  removeChild(node: PageNode): PageNode;
  replaceChild(node: PageNode, old: PageNode): PageNode;
  isEqualNode(other: PageNode): boolean;
}

/** https://dom.spec.whatwg.org/#element */
export interface PageElement extends PageNode {
  id: string;
  className: string;
  hidden: boolean;
  disabled?: boolean;
  readonly dataset: Record<string, string | undefined>;
  readonly attributes: ArrayLike<{ name: string; value: string }>;
  readonly firstElementChild: PageElement | null;
  readonly childElementCount: number;
  readonly clientHeight: number;
  readonly scrollHeight: number;
  scrollTop: number;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  hasAttribute(name: string): boolean;
  closest(selector: string): PageElement | null;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  append(...nodes: (PageNode | string)[]): void;
  replaceChildren(...nodes: (PageNode | string)[]): void;
  remove(): void;
  focus(): void;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
}

/** https://dom.spec.whatwg.org/#event */
export interface PageEvent {
  readonly target: PageElement | null;
}

/** https://html.spec.whatwg.org/#document */
export interface PageDocument {
  title: string;
  readonly hidden: boolean;
  readonly documentElement: PageElement;
  createElement(name: string): PageElement;
  createDocumentFragment(): PageElement;
  importNode<Node extends PageNode>(node: Node, deep: boolean): Node;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
}

/** https://html.spec.whatwg.org/#domparser */
export type PageParser = new () => { parseFromString(text: string, type: "text/html"): PageDocument };
