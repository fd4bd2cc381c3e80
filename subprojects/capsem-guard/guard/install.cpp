#include "guard/install.h"
