#include "guard/single_instance.h"
