module rancheros

go 1.26.0
