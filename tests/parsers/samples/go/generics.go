// Package generics has type parameters in every place.
package generics

// Number is a constraint.
type Number interface {
	~int | ~float64
}

// List is a linked list.
type List[T any] struct {
//   ^^^^ defines struct List
//        ^ defines type_parameter T
	head *Cell[T]
	//    ^^^^ refers type; resolves generics.go:Cell
	//         ^ refers type; resolves generics.go:10
}

type Cell[T any] struct {
	value T
	next  *Cell[T]
}

func (l *List[E]) Push(value E) *List[E] {
//            ^ defines type_parameter E
//                           ^ resolves generics.go:23
	l.head = &Cell[E]{value: value, next: l.head}
	//        ^^^^ refers construct; resolves generics.go:Cell
	//                ^^^^^ resolves generics.go:Cell.value
	return l
}

func Map[A, B any](list *List[A], change func(A) B) *List[B] {
//       ^ defines type_parameter A
	out := &List[B]{}
	//           ^ resolves generics.go:32
	out.Push(change(list.head.value)).Push(change(list.head.next.value))
	//  ^^^^ resolves generics.go:List.Push
	//       ^^^^^^ refers call
	//                                ^^^^ resolves generics.go:List.Push
	return out
}

func Sum[N Number](values ...N) (total N) {
//         ^^^^^^ refers type; resolves generics.go:Number
//                               ^^^^^ defines variable total
	for _, value := range values {
		total += value
		// <- refers write; resolves generics.go:43
	}
	return
}

func use() {
	Sum[int](1, 2)
	// <- refers call; resolves generics.go:Sum
	Map[int, string](nil, nil).Push("a")
	//                         ^^^^ resolves generics.go:List.Push
}
