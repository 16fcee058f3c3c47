// What the golden tests share: the golden file, the real data, the hash of tools/golden/text.py.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/file.h"
#include "tensor/json.h"
#include "text/encoding.h"

namespace ink::golden {

inline std::filesystem::path source_folder() { return INK_SOURCE_DIR; }

// Folder of real data; it need not exist.
inline std::filesystem::path data_folder() {
  const char* named = std::getenv("INK_DATA");
  return named && *named ? std::filesystem::path(named)
                         : source_folder().parent_path() / "shared" / "data";
}

inline std::string read(const std::filesystem::path& path) {
  return read_file(path, size_t{1} << 30);
}

inline const Json& file() {
  static const Json json = [] {
    const auto path = source_folder() / "tests/golden/text.json";
    return parse_json(read(path), path.string());
  }();
  return json;
}

// splitmix64
inline uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// Sum over i of mix(i * 2^32 + value i).
class Hash {
 public:
  void add(int64_t value) { sum_ += mix(count_++ << 32 | static_cast<uint32_t>(value)); }
  void add(const Encoding& e) {
    add(e.size());
    for (const int32_t id : e.ids) add(id);
    for (const Span& s : e.offsets) add(s.begin), add(s.end);
    for (const int32_t word : e.words) add(word);
  }
  std::string text() const {
    char out[17];
    std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(sum_));
    return out;
  }

 private:
  uint64_t count_ = 0, sum_ = 0;
};

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  return lines;
}

inline void collect_strings(const Json& value, std::vector<std::string>& out) {
  if (value.is_string()) out.push_back(value.as_string());
  if (value.is_array())
    for (const Json& item : value.items()) collect_strings(item, out);
  if (value.is_object())
    for (const Json::Member& member : value.members()) collect_strings(member.value, out);
}

// The lines of a file or, of JSON, all its strings.
inline std::vector<std::string> texts_of(const std::filesystem::path& path) {
  const std::string content = read(path);
  if (path.extension() != ".json") return lines_of(content);
  std::vector<std::string> texts;
  collect_strings(parse_json(content, path.string()), texts);
  return texts;
}

// Calls f(text) with 64 of `points` from `at` on: alone, between letters, between accents.
template <class F>
void for_each_context(std::u32string_view points, size_t at, const F& f) {
  std::u32string alone, letters, accents;
  for (const char32_t c : points.substr(at, 64)) {
    const std::u32string space = alone.empty() ? U"" : U" ";
    alone += space + c;
    letters += space + U'a' + c + U'b';
    accents += space + U"e\u0301" + c + U"\u0323\u00e9";
  }
  for (const std::u32string& text : {alone, letters, accents}) f(text);
}

inline std::vector<int32_t> integers(const Json& array) {
  std::vector<int32_t> out;
  for (const Json& item : array.items()) out.push_back(static_cast<int32_t>(item.as_integer()));
  return out;
}

inline std::vector<int32_t> flat(const std::vector<Span>& spans) {
  std::vector<int32_t> out;
  for (const Span& s : spans) out.push_back(s.begin), out.push_back(s.end);
  return out;
}

}  // namespace ink::golden
