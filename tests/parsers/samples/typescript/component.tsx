// Types and elements in one grammar.

interface Props<T> {
  items: T[];
  render(item: T): Label;
}
type Label = string;

export const List = <T,>({ items, render }: Props<T>) => (
  //         ^^^^ defines function List
  //                       ^^^^^ defines parameter items
  //                       ^^^^^ refers read; resolves component.tsx:Props.items
  //                                        ^^^^^ refers type; resolves component.tsx:Props
  //                                              ^ refers type; resolves component.tsx:9
  <ul className="list">{items.map((item) => render(item))}</ul>
  //  ^^^^^^^^^ refers nothing
  //                    ^^^^^ resolves component.tsx:9
  //                                        ^^^^^^ refers call; resolves component.tsx:9; resolves component.tsx:Props.render
);

class Page {
  body() {
    return <List<Label> items={["a"]} render={(item) => item as Label} />;
    //      ^^^^ refers read; resolves component.tsx:List
    //                                                          ^^^^^ refers type; resolves component.tsx:Label
  }
}
new Page().body();
//         ^^^^ refers call; resolves component.tsx:Page.body
