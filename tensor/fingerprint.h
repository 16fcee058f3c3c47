// Fingerprint: what a run is made of, as names and values, so that only the same run is resumed.
//
// Small things are stated as they are, large ones (a vocabulary, a data file) by their digest:
//
//   const Json made_of = Json::make_object(
//       {{"max_length", 128}, {"train", Digest().add(text).to_string()}});
//   … stored with a checkpoint; on resume:
//   check_same_run("out/training", stored, made_of);
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/json.h"

namespace ink {

// FNV-1a over whatever is added, 64 bits: finds what was changed by mistake, not by malice.
class Digest {
 public:
  // The length counts: {"ab", "c"} and {"a", "bc"} differ.
  Digest& add(std::string_view bytes);
  Digest& add(uint64_t number);
  template <class T>
  Digest& add(std::span<const T> values) {
    return add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
  }
  uint64_t value() const { return hash_; }
  std::string to_string() const;  // 16 hexadecimal digits

 private:
  uint64_t hash_ = 0xCBF29CE484222325u;
};

// Of all bytes of a file. Raises Error where it cannot be read.
std::string digest_of_file(const std::filesystem::path& file);

// Where two objects differ: the first member of `second` that is missing in `first` or another
// there, by its path ("architecture.hidden_size"), with both values.
struct Difference {
  std::string name, first, second;
};
std::optional<Difference> first_difference(const Json& first, const Json& second);

// Raises Error unless both are the same: it names the first member of `now` that is missing in
// `before` or differs from it ("architecture.hidden_size"), with both values. `run` is the folder,
// for the message.
void check_same_run(const std::string& run, const Json& before, const Json& now);

}  // namespace ink
