// Two packages of one module: imports, exported names, methods away from their type.
// --- path: go.mod ---
module example.org/shop

go 1.22
// --- path: stock/item.go ---
// Package stock keeps the goods.
package stock

import "errors"

// ErrNone is given when nothing is left.
var ErrNone = errors.New("none left")
//  ^^^^^^^ defines variable ErrNone
//            ^^^^^^ refers read; resolves external errors
//                   ^^^ refers call; resolves external errors.New

// Limit bounds an order.
const Limit = 10
//    ^^^^^ defines constant Limit

// Item is one article.
type Item struct {
//   ^^^^ defines struct Item
	Name  string
	// <- defines field Item.Name
	Price price
	//    ^^^^^ refers type; resolves stock/price.go:price
	tags  []string
}
// --- path: stock/price.go ---
package stock

type price int
//   ^^^^^ defines class price

// Total is defined away from its type.
func (i *Item) Total(count int) (price, error) {
//       ^^^^ refers type; resolves stock/item.go:Item
//             ^^^^^ defines method Item.Total
	if count > Limit {
	//         ^^^^^ resolves stock/item.go:Limit
		return 0, ErrNone
		//        ^^^^^^^ resolves stock/item.go:ErrNone
	}
	return i.Price * price(count), nil
	//       ^^^^^ refers read; resolves stock/item.go:Item.Price
	//               ^^^^^ refers call; resolves stock/price.go:price
}

func (p price) String() string { return "" }
//             ^^^^^^ defines method price.String

func (i Item) label() string {
	return i.Name + i.Price.String()
	//                      ^^^^^^ refers call; resolves stock/price.go:price.String
}
// --- path: stock/item_test.go ---
package stock_test

import (
	"testing"

	. "example.org/shop/stock"
	// <- refers nothing
	_ "example.org/shop/order"
	mock "example.org/shop/stock"
)

func TestItem(t *testing.T) {
	item := mock.Item{Name: "a"}
	//           ^^^^ refers construct; resolves stock/item.go:Item
	//                ^^^^ refers write; resolves stock/item.go:Item.Name
	item.Total(Limit)
	//   ^^^^^ resolves stock/price.go:Item.Total
	//         ^^^^^ resolves stock/item.go:Limit
}
// --- path: order/order.go ---
package order

import (
	"fmt"

	"example.org/shop/stock"
	"gopkg.in/yaml.v3"
	"github.com/acme/go-queue/v2"
)

// Order is a list of items.
type Order struct {
	Items []stock.Item
	//            ^^^^ refers type; resolves stock/item.go:Item
	byName map[string]*stock.Item
}

func (o *Order) Sum() {
	for position, item := range o.Items {
		total, err := item.Total(position)
		//                 ^^^^^ resolves stock/price.go:Item.Total
		if err == stock.ErrNone {
		//              ^^^^^^^ resolves stock/item.go:ErrNone
			fmt.Println(total.String())
			//                ^^^^^^ resolves stock/price.go:price.String
		}
	}
	for name, item := range o.byName {
		_, _ = item.Total(len(name))
		//          ^^^^^ resolves stock/price.go:Item.Total
	}
	if found, ok := o.byName["a"]; ok {
		found.Name = "b"
		//    ^^^^ refers write; resolves stock/item.go:Item.Name
	}
	yaml.Marshal(o)
	//   ^^^^^^^ resolves external gopkg.in/yaml.v3.Marshal
	queue.Push(o)
	//    ^^^^ resolves external github.com/acme/go-queue/v2.Push
}
