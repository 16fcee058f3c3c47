// Putting special tokens around segments.
#include "objectives/instance.h"

namespace ink {

void append(TokenSentence& to, const TokenSentence& from, size_t begin, size_t end) {
  const auto copy = [&](auto& target, const auto& source) {
    target.insert(target.end(), source.begin() + static_cast<std::ptrdiff_t>(begin),
                  source.begin() + static_cast<std::ptrdiff_t>(end));
  };
  copy(to.ids, from.ids);
  copy(to.continues, from.continues);
}

void append(TokenSentence& to, const TokenSentence& from) { append(to, from, 0, from.ids.size()); }

Instance make_instance(const TokenSentence& a, const TokenSentence* b,
                       const ObjectiveTokens& tokens) {
  Instance out;
  const size_t n = a.ids.size() + 2 + (b ? b->ids.size() + 1 : 0);
  out.ids.reserve(n);
  out.continues.reserve(n);
  const auto append_special = [&](int32_t id) {
    out.ids.push_back(id);
    out.continues.push_back(0);
  };
  const auto append_all = [&](const TokenSentence& s) {
    out.ids.insert(out.ids.end(), s.ids.begin(), s.ids.end());
    out.continues.insert(out.continues.end(), s.continues.begin(), s.continues.end());
  };
  append_special(tokens.cls);
  append_all(a);
  append_special(tokens.sep);
  out.segments.assign(out.ids.size(), 0);
  if (b) {
    append_all(*b);
    append_special(tokens.sep);
    out.segments.resize(out.ids.size(), 1);
  }
  for (const int32_t id : out.ids) {
    out.special.push_back(id == tokens.cls || id == tokens.sep || id == tokens.mask);
  }
  return out;
}

}  // namespace ink
