/** Looks for a value where it must not be: in what was printed, and in every file below some folders. */

/** Where the value was found, in the usual encodings; nothing is the good answer. */
export async function findValue(
  value: string,
  folders: string[],
  exceptBelow: string[],
  printed: string,
): Promise<string[]> {
  const forms = [value, btoa(value), encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
  const holds = (text: string) => forms.some((form) => text.includes(form));
  const found = holds(printed) ? ["what was printed"] : [];
  for (const folder of folders) {
    for await (const path of filesBelow(folder)) {
      if (exceptBelow.some((own) => path.startsWith(own))) continue;
      // Latin-1 keeps every byte as one character, so that binary files can be searched as text.
      if (holds(new TextDecoder("latin1").decode(await Deno.readFile(path)))) found.push(path);
    }
  }
  return found;
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(path);
    else if (entry.isFile) yield path;
  }
}
