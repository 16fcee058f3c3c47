// formatted("%.2f", x): printf into a string of any length; and shares in per cent.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

namespace ink::cli {

template <class... Parts>
std::string formatted(const char* format, Parts... parts) {
  const int size = std::snprintf(nullptr, 0, format, parts...);
  std::string text(static_cast<size_t>(size), '\0');
  std::snprintf(text.data(), text.size() + 1, format, parts...);
  return text;
}

// 0 of nothing.
inline double percent(int64_t part, int64_t whole) {
  return whole ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace ink::cli
