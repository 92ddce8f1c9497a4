module github.com/libmlreg/libmlreg/bindings/go

go 1.24
