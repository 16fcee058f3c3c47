// Putting special tokens around segments.
#include "objectives/instance.h"

namespace ink {
namespace {

template <class T>
void append_range(std::vector<T>& to, const std::vector<T>& from, size_t begin, size_t end) {
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
            from.begin() + static_cast<std::ptrdiff_t>(end));
}

}  // namespace

size_t end_of_piece(const TokenSentence& sentence, size_t begin, size_t most) {
  const size_t n = sentence.ids.size();
  if (n - begin <= most) return n;
  size_t end = begin + most;
  while (end > begin && sentence.continues[end]) --end;
  return end > begin ? end : begin + most;
}

void Segment::append(const TokenSentence& sentence, size_t begin, size_t end) {
  append_range(ids, sentence.ids, begin, end);
  append_range(continues, sentence.continues, begin, end);
  if (begin < end) begins.push_back(begin == 0);
  begins.resize(ids.size(), 0);
}

void Segment::keep(size_t begin, size_t end) {
  const auto cut = [&](auto& values) {
    values.resize(end);
    values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(begin));
  };
  cut(ids);
  cut(continues);
  cut(begins);
}

Instance make_instance(const Segment& a, const Segment* b, const ObjectiveTokens& tokens) {
  Instance out;
  const size_t n = a.ids.size() + 2 + (b ? b->ids.size() + 1 : 0);
  out.ids.reserve(n);
  out.continues.reserve(n);
  const auto append_special = [&](int32_t id, int32_t segment) {
    out.ids.push_back(id);
    out.segments.push_back(segment);
    out.continues.push_back(0);
    out.begins.push_back(0);
  };
  const auto append_text = [&](const Segment& text, int32_t segment) {
    append_range(out.ids, text.ids, 0, text.ids.size());
    append_range(out.continues, text.continues, 0, text.continues.size());
    append_range(out.begins, text.begins, 0, text.begins.size());
    out.segments.resize(out.ids.size(), segment);
    append_special(tokens.sep, segment);
  };
  if (!tokens.cls_last) append_special(tokens.cls, 0);
  append_text(a, 0);
  if (b) append_text(*b, 1);
  if (tokens.cls_last) append_special(tokens.cls, 2);
  for (const int32_t id : out.ids) {
    out.special.push_back(id == tokens.cls || id == tokens.sep || id == tokens.mask);
  }
  return out;
}

}  // namespace ink
