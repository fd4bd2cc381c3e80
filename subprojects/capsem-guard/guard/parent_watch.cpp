#include "guard/parent_watch.h"
