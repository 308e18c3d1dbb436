/** Generated references: every well-formed one can come out. */
import fc from "fast-check";

const part = fc.oneof(
  fc.stringMatching(/^[a-z0-9]{1,8}$/),
  fc.stringMatching(/^[A-Za-z0-9_.@+=!:-]{1,12}$/),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }),
).filter((text) =>
  text === text.trim() && text.isWellFormed() && !/^\.{0,2}$|[/#?\p{Cc}\p{Zl}\p{Zp}]|%[0-9A-Fa-f]{2}/u.test(text)
);

export const names: fc.Arbitrary<string> = fc.tuple(
  fc.constantFrom("", "/"),
  fc.array(part, { minLength: 1, maxLength: 5 }),
)
  .map(([slash, parts]) => slash + parts.join("/"));

export const references: fc.Arbitrary<{ name: string; version: string | undefined; key: string | undefined }> = fc
  .record({
    name: names,
    version: fc.option(fc.stringMatching(/^[A-Za-z0-9._:+=@-]{1,20}$/), { nil: undefined }),
    key: fc.option(part, { nil: undefined }),
  });
