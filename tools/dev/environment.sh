# shellcheck shell=bash
# What building and testing set in the environment; sourced by bash, in the root of the checkout.
#
# Debian's own programs come first: another python3 or protoc earlier on the PATH has other libraries.
export PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
export LC_ALL=C.UTF-8
# ccache: paths relative to the checkout, so that a second checkout shares the objects of the first; sloppiness is
# what precompiled headers need.
export CC="${CC:-ccache gcc}" CXX="${CXX:-ccache g++}"
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
if ! mkdir -p "${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ccache}" 2>/dev/null; then
  export CCACHE_DIR="$PWD/build/ccache"
fi
