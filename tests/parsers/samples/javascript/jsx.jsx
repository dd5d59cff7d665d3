// Components are used where their tags stand; what the browser knows is not ours.

import { Button as Press } from "./buttons";
//       ^^^^^^ refers import; resolves external ./buttons.Button

const layout = { Row: (props) => props.children };

/** A page of buttons. */
export default function Page({ items, ...rest }) {
  //                    ^^^^ defines function Page
  const label = "go";
  return (
    <main id={label} {...rest}>
      <layout.Row>
        {/*   ^^^ refers read; resolves jsx.jsx:Row */}
        {items.map((item) => (
          <Press key={item.id} onClick={() => choose(item)} label={label}>
            {/* refers nothing here */}
            {label}
          </Press>
        ))}
      </layout.Row>
      <Empty />
      {/* <- refers nothing */}
    </main>
  );
}

const Empty = () => <></>;
//    ^^^^^ defines function Empty
const choose = (item) => <Page items={[item]} />;
//    ^^^^^^ defines function choose
//                        ^^^^ refers read; resolves jsx.jsx:Page
//                             ^^^^^ refers nothing
