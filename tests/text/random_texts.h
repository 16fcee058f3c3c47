// The texts of random_texts() in tools/golden/text.py.
#pragma once
#include <iterator>
#include <string>

#include "tests/text/golden.h"

namespace ink::golden {

class RandomTexts {
 public:
  std::u32string next() {
    const Pool pools[] = {pool(), pool(), pool()};
    std::u32string text;
    for (uint64_t n = draw(24); n > 0; --n) {
      const auto [first, last] = pools[draw(3)];
      text += static_cast<char32_t>(first + draw(last - first + 1));
    }
    return text;
  }

 private:
  struct Pool {
    uint64_t first, last;
  };
  Pool pool() {
    static constexpr Pool pools[] = {
        {0x20, 0x7E},     {0x41, 0x7A},     {0xA0, 0x24F},      {0x300, 0x36F},
        {0x370, 0x52F},   {0x591, 0x6FF},   {0x900, 0xDFF},     {0x1E00, 0x1FFF},
        {0x2000, 0x206F}, {0x3000, 0x30FF}, {0x4E00, 0x9FFF},   {0xAC00, 0xD7A3},
        {0xF900, 0xFAFF}, {0xFE00, 0xFFFF}, {0x1D100, 0x1D1FF}, {0x1F300, 0x1F6FF}};
    return pools[draw(std::size(pools))];
  }
  uint64_t draw(uint64_t n) { return mix(++number_) % n; }
  uint64_t number_ = 0;
};

}  // namespace ink::golden
