// A tokenizer as names and values.
#include "text/fingerprint.h"

#include "tensor/fingerprint.h"

namespace ink {

Json fingerprint_of(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  Digest digest;
  for (int32_t id = 0; id < vocabulary.size(); ++id) digest.add(vocabulary.token(id));
  const SpecialTokens& s = vocabulary.special_tokens();
  for (const std::string* name : {&s.unk, &s.cls, &s.sep, &s.mask, &s.pad}) digest.add(*name);
  const NormalizeOptions& options = tokenizer.options();
  return Json::make_object({{"vocabulary", digest.to_string()},
                            {"lower_case", options.do_lower_case},
                            {"strip_accents", options.strips_accents()},
                            {"tokenize_chinese_chars", options.tokenize_chinese_chars}});
}

}  // namespace ink
