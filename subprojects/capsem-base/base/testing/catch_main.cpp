// Catch2's main, compiled once for the tree.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
