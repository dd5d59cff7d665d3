// --- path: shop/cart.js ---
import price, { tax as rate, total } from "./prices.js";
//     ^^^^^ refers import; resolves shop/prices.js:price
//              ^^^ refers import; resolves shop/prices.js:tax
//                     ^^^^ refers nothing
//                           ^^^^^ refers import; resolves shop/prices.js:total
//                                        ^^^^^^^^^^^^^ refers import; resolves shop/prices.js:1
import * as prices from "./prices";
//          ^^^^^^ refers import; resolves shop/prices.js:1
import { sum, everything, words } from "./all.js";
//       ^^^ refers import; resolves shop/prices.js:total
//            ^^^^^^^^^^ refers import; resolves shop/prices.js:1
//                        ^^^^^ refers import; resolves shop/words.js:words
import "./side.js";
import { external } from "somewhere";
//       ^^^^^^^^ refers import; resolves external somewhere.external

export function pay() {
  //            ^^^ defines function pay
  price(rate, total());
  // <- refers call; resolves shop/prices.js:price
  //    ^^^^ refers read; resolves shop/prices.js:tax
  //          ^^^^^ refers call; resolves shop/prices.js:total
  prices.total();
  // <- refers read; resolves shop/prices.js:1
  //     ^^^^^ refers call; resolves shop/prices.js:total
  everything.tax;
  //         ^^^ resolves shop/prices.js:tax
  prices.hidden();
  //     ^^^^^^ resolves nothing
  return sum(words);
  //     ^^^ resolves shop/prices.js:total
  //         ^^^^^ resolves shop/words.js:words
}
// --- path: shop/prices.js ---
export default function price() {}
//                      ^^^^^ defines function price
export const tax = 0.2;
//           ^^^ defines constant tax
function total() {}
function hidden() {}
export { total };
//       ^^^^^ refers export; resolves shop/prices.js:total
// --- path: shop/words.js ---
export const words = [];
// --- path: shop/all.js ---
export { total as sum } from "./prices.js";
//       ^^^^^ refers import; resolves shop/prices.js:total
export * as everything from "./prices.js";
export * from "./words.js";
// --- path: shop/side.js ---
window.ready = true;
// <- resolves external <lib>.window
