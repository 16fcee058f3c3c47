// FNV-1a, and the first difference of two objects.
#include "tensor/fingerprint.h"

#include <cstring>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {
namespace {

constexpr uint64_t kPrime = 0x100000001B3u;

bool are_lists_of_objects(const Json& first, const Json& second) {
  return first.is_array() && second.is_array() && first.size() == second.size() &&
         first.size() > 0 && first.items()[0].is_object();
}

std::optional<Difference> difference(const std::string& name, const Json* first,
                                     const Json& second) {
  if (first && first->is_object() && second.is_object()) {
    for (const Json::Member& member : second.members()) {
      auto found = difference(name.empty() ? member.key : name + '.' + member.key,
                              first->find(member.key), member.value);
      if (found) return found;
    }
    return std::nullopt;
  }
  if (first && are_lists_of_objects(*first, second)) {
    for (size_t i = 0; i < second.size(); ++i) {
      auto found =
          difference(name + '[' + std::to_string(i) + ']', &first->items()[i], second.items()[i]);
      if (found) return found;
    }
    return std::nullopt;
  }
  const std::string one = first ? first->to_string() : "unknown", other = second.to_string();
  return one == other ? std::nullopt : std::optional(Difference{name, one, other});
}

}  // namespace

// A word at a time: a hundred megabytes of weights take a tenth of a second.
Digest& Digest::add(std::string_view bytes) {
  add(uint64_t{bytes.size()});
  for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t))) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    add(word);
  }
  for (const char c : bytes) hash_ = (hash_ ^ static_cast<uint8_t>(c)) * kPrime;
  return *this;
}

Digest& Digest::add(uint64_t number) {
  hash_ = (hash_ ^ number) * kPrime;
  hash_ ^= hash_ >> 32;  // a product moves bits up alone
  return *this;
}

std::string Digest::to_string() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[hash_ >> shift & 15];
  return text;
}

std::string digest_of_file(const std::filesystem::path& file) {
  return Digest().add(MappedFile::open(file)->text()).to_string();
}

std::optional<Difference> first_difference(const Json& first, const Json& second) {
  return difference("", &first, second);
}

namespace {

// Digests say nothing to people.
bool is_digest(const std::string& json) {
  constexpr size_t kLength = 18;  // 16 digits in quotes
  return json.size() == kLength &&
         json.find_first_not_of("\"0123456789abcdef") == std::string::npos;
}

// Objects and lists of them are long.
std::string shortened(const std::string& json) {
  constexpr size_t kMost = 80;
  return json.size() <= kMost ? json : json.substr(0, kMost) + "…";
}

}  // namespace

void check_same_run(const std::string& run, const Json& before, const Json& now) {
  if (const auto d = first_difference(before, now)) {
    check(!is_digest(d->first) || !is_digest(d->second), "resume: the run in ", run,
          " was made of another ", d->name,
          "; resume with the same settings and data or choose another folder");
    fail("resume: the run in ", run, " has ", d->name, ' ', shortened(d->first), ", got ",
         shortened(d->second), "; resume with the same settings and data or choose another folder");
  }
}

}  // namespace ink
