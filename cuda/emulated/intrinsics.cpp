// Exchanges between the lanes of a warp.
#include "cuda/emulated/intrinsics.h"

namespace ink::cuda::emulated {
namespace {

struct Shuffled {
  uint64_t value;
  int source;
  bool known = false;
  uint64_t result = 0;
};

void exchange_words(void* const* brought, unsigned mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    auto& own = *static_cast<Shuffled*>(brought[lane]);
    const auto* source = static_cast<const Shuffled*>(brought[own.source]);
    if (!source) continue;
    own.result = source->value;
    own.known = true;
  }
}

struct Vote {
  bool yes;
  unsigned all = 0;
};

void count_votes(void* const* brought, unsigned mask) {
  unsigned all = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (mask >> lane & 1 && static_cast<Vote*>(brought[lane])->yes) all |= 1u << lane;
  }
  for (int lane = 0; lane < 32; ++lane) {
    if (mask >> lane & 1) static_cast<Vote*>(brought[lane])->all = all;
  }
}

}  // namespace

uint64_t shuffle_word(Site site, unsigned mask, uint64_t value, int source) {
  if (source < 0 || source >= 32) give_up(site, "a shuffle from a lane that does not exist");
  Shuffled own{value, source};
  meet(site, mask, exchange_words, &own, Memory::unordered);
  if (!own.known) give_up(site, "a shuffle from a lane outside of its mask");
  return own.result;
}

unsigned ballot(Site site, unsigned mask, bool yes) {
  Vote own{yes};
  meet(site, mask, count_votes, &own, Memory::unordered);
  return own.all;
}

}  // namespace ink::cuda::emulated
