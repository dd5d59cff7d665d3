// Package basics shows every kind of declaration in one file.
package basics

import (
	"io"
	"path"
	"sync"
)

type Color int
//   ^^^^^ defines class Color

const (
	Red Color = iota
	// <- defines constant Red
	//  ^^^^^ refers type; resolves basics.go:Color
	Green
	// <- defines constant Green
)

var (
	first, second = pair()
	// <- defines variable first
	//     ^^^^^^ defines variable second
	//              ^^^^ refers call; resolves basics.go:pair
	table = map[Color]string{Red: "red", Green: "green"}
	//                       ^^^ refers read; resolves basics.go:Red
)

func pair() (*Node, error) { return nil, nil }
//   ^^^^ defines function pair

// Node has fields, an embedded type and a lock.
type Node struct {
	Base
	// <- defines field Node.Base; refers type; resolves basics.go:Base
	*sync.Mutex
	//    ^^^^^ defines field Node.Mutex; refers type; resolves external sync.Mutex
	left, right *Node
	//           ^^^^ refers type; resolves basics.go:Node
	hook func(value Color) *Node
	//        ^^^^^ defines nothing; refers nothing
	//              ^^^^^ refers type; resolves basics.go:Color
}

type Base struct{ id int }

func (b Base) ID() int { return b.id }
//            ^^ defines method Base.ID
//                                ^^ resolves basics.go:Base.id

// Walker is fulfilled by what can walk.
type Walker interface {
//   ^^^^^^ defines interface Walker
	io.Closer
	// ^^^^^^ refers base; resolves external io.Closer
	Walk(depth int) (Walker, error)
	// <- defines method Walker.Walk
	//               ^^^^^^ refers type; resolves basics.go:Walker
}

type Handler func(Color) *Node
//   ^^^^^^^ defines class Handler

type Nodes []*Node

type Alias = Node
//   ^^^^^ defines type_alias Alias
//           ^^^^ refers type; resolves basics.go:Node

func (list Nodes) Len() int { return len(list) }
//                                   ^^^ resolves external builtin.len

func use(handler Handler, list Nodes, walker Walker, names ...string) {
//       ^^^^^^^ defines parameter handler
	first.ID()
	//    ^^ resolves basics.go:Base.ID
	first.left.right.ID()
	//         ^^^^^ resolves basics.go:Node.right
	//               ^^ resolves basics.go:Base.ID
	first.Lock()
	//    ^^^^ resolves external sync.Mutex.Lock
	handler(Red).left = nil
	//           ^^^^ refers write; resolves basics.go:Node.left
	for _, node := range list {
		node.hook(Green).ID()
		//   ^^^^ refers call; resolves basics.go:Node.hook
		//               ^^ resolves basics.go:Base.ID
	}
	list[0].ID()
	//      ^^ resolves basics.go:Base.ID
	next, err := walker.Walk(1)
	//                  ^^^^ resolves basics.go:Walker.Walk
	next.Walk(2)
	//   ^^^^ resolves basics.go:Walker.Walk
	_ = err
	for range names {
	}
	var alias Alias
	alias.ID()
	//    ^^ resolves basics.go:Base.ID
	count := Nodes.Len(list)
	//             ^^^ resolves basics.go:Nodes.Len
	count++
	// <- refers write; resolves basics.go:102
}

func literals() []*Node {
	nested := []*Node{{left: &Node{right: nil}}, {Base: Base{id: 1}}}
	//                 ^^^^ refers write; resolves basics.go:Node.left
	//                             ^^^^^ refers write; resolves basics.go:Node.right
	//                                            ^^^^ refers write; resolves basics.go:Node.Base
	//                                                       ^^ resolves basics.go:Base.id
	byColor := map[Color]Base{Red: {id: 2}}
	//                        ^^^ refers read; resolves basics.go:Red
	//                              ^^ refers write; resolves basics.go:Base.id
	byColor[Green].ID()
	//             ^^ resolves basics.go:Base.ID
	point := struct{ x, y int }{x: 1}
	//                          ^ refers write
	point.y = 2
	//    ^ refers write
	made := make([]Base, 3)
	made = append(made, Base{})
	made[1].ID()
	//      ^^ resolves basics.go:Base.ID
	new(Base).ID()
	//        ^^ resolves basics.go:Base.ID
	return nested
}

func visibility(path2 string) {
	path := path.Join(path2, "x")
	// <- defines variable path
	//      ^^^^ resolves external path
	//           ^^^^ resolves external path.Join
	use := path
	// <- defines variable use
	//     ^^^^ resolves basics.go:133
	if use := use + "b"; use != "" {
	//        ^^^ resolves basics.go:137
	//                   ^^^ resolves basics.go:140
		_ = use
		//  ^^^ resolves basics.go:140
	}
	func() {
		use := len(use)
		//         ^^^ resolves basics.go:137
		_ = use
		//  ^^^ resolves basics.go:147
	}()
}

func switches(value any, channel chan *Node) {
	switch v := value.(type) {
	case *Node:
	//    ^^^^ refers type; resolves basics.go:Node
		v.ID()
		//^^ resolves basics.go:Base.ID
	case Walker, nil:
		v.Close()
		//^^^^^ resolves nothing
	}
	if node, ok := value.(*Node); ok {
		node.ID()
		//   ^^ resolves basics.go:Base.ID
	}
	select {
	case node, open := <-channel:
		node.ID()
		//   ^^ resolves basics.go:Base.ID
		_ = open
	default:
	}
outer:
	// <- defines nothing; refers nothing
	for node := range channel {
		defer node.ID()
		//         ^^ resolves basics.go:Base.ID
		go (<-channel).ID()
		//             ^^ resolves basics.go:Base.ID
		break outer
		//    ^^^^^ refers nothing
	}
	switch red := Red; red {
	case Green:
		// <- refers nothing
		_ = red
	}
}
