#include "run_machine.h"

int main() {
  return capsem::agent::RunMachine([](capsem::Loop&) { return capsem::OkStatus(); });
}
