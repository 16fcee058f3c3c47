// Template: how a family of models frames one text or a pair, and which part has which segment.
#include "text/template.h"

#include <algorithm>

#include "tensor/error.h"

namespace ink {
namespace {

using Kind = TemplatePart::Kind;

void append_token(Encoding& out, int32_t id, int32_t segment) {
  out.ids.push_back(id);
  out.segments.push_back(segment);
  out.texts.push_back(Encoding::no_text);
  out.words.push_back(Encoding::no_word);
  out.offsets.emplace_back();
  out.bytes.emplace_back();
}

void append_text(Encoding& out, const Encoding& from, int64_t count, int32_t segment,
                 int32_t text) {
  const auto copy = [&](auto& to, const auto& source) {
    to.insert(to.end(), source.begin(), source.begin() + count);
  };
  copy(out.ids, from.ids);
  copy(out.words, from.words);
  copy(out.offsets, from.offsets);
  copy(out.bytes, from.bytes);
  out.segments.resize(out.ids.size(), segment);
  out.texts.resize(out.ids.size(), text);
}

TemplatePart token(int32_t id, int32_t segment) { return {Kind::token, id, segment}; }
TemplatePart text_a(int32_t segment) { return {Kind::first, 0, segment}; }
TemplatePart text_b(int32_t segment) { return {Kind::second, 0, segment}; }

}  // namespace

int64_t Template::added(const std::vector<TemplatePart>& parts) {
  return std::count_if(parts.begin(), parts.end(),
                       [](const TemplatePart& p) { return p.kind == Kind::token; });
}

Encoding Template::join(const Encoding& first, int64_t n_first, const Encoding* second,
                        int64_t n_second) const {
  Encoding out;
  for (const TemplatePart& part : second ? pair : single) {
    switch (part.kind) {
      case Kind::token: append_token(out, part.id, part.segment); break;
      case Kind::first: append_text(out, first, n_first, part.segment, 0); break;
      case Kind::second: append_text(out, *second, n_second, part.segment, 1); break;
    }
  }
  return out;
}

Template Template::bert(const Vocabulary& v) {
  const int32_t cls = v.cls(), sep = v.sep();
  return {{token(cls, 0), text_a(0), token(sep, 0)},
          {token(cls, 0), text_a(0), token(sep, 0), text_b(1), token(sep, 1)}};
}

Template Template::roberta(const Vocabulary& v) {
  const int32_t cls = v.cls(), sep = v.sep();
  return {{token(cls, 0), text_a(0), token(sep, 0)},
          {token(cls, 0), text_a(0), token(sep, 0), token(sep, 0), text_b(0), token(sep, 0)}};
}

Template Template::xlnet(const Vocabulary& v) {
  const int32_t cls = v.cls(), sep = v.sep();
  return {{text_a(0), token(sep, 0), token(cls, 2)},
          {text_a(0), token(sep, 0), text_b(1), token(sep, 1), token(cls, 2)}};
}

Lengths truncated(Lengths lengths, int64_t room, Truncation truncation) {
  Lengths n = lengths;
  const int64_t excess = n.first + n.second - room;
  if (excess <= 0) return n;
  if (truncation != Truncation::longest_first) {
    int64_t& shortened = truncation == Truncation::first ? n.first : n.second;
    check(shortened >= excess, "tokenizer: expected max_length to leave room for ", excess,
          " more tokens than the ", truncation == Truncation::first ? "first" : "second",
          " text, the only one to be shortened, can give up; it has ", shortened);
    shortened -= excess;
    return n;
  }
  auto [shorter, longer] = std::minmax({n.first, n.second});
  if (shorter + shorter >= room) {
    // Both are cut to one length; an odd token goes to the longer text.
    shorter = room / 2;
    longer = room - shorter;
  } else {
    longer = room - shorter;
  }
  return n.first > n.second ? Lengths{longer, shorter} : Lengths{shorter, longer};
}

}  // namespace ink
