// Precompiled for the CLI's unit tests: as cli_pch.h, and Catch2's one header.
#include <catch2/catch.hpp>

#include "cli_pch.h"
