/** The words of refusals: the small half of zod has none of its own and would only say "Invalid input". */
import english from "zod/locales/en";
import * as z from "zod/mini";

z.config(english());
