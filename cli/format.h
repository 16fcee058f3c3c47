// formatted("%.2f", x): printf into a string of any length.
#pragma once
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

}  // namespace ink::cli
