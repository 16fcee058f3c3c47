// Reading texts without labels, and putting them and copies behind the labelled examples.
#include "compress/more_examples.h"

#include <string_view>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

Examples unlabelled_examples(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  Examples all{.items = {}, .labels = {}, .source = path.string()};
  std::string_view left = file->text();
  for (int64_t line = 1; !left.empty(); ++line) {
    const size_t end = left.find('\n');
    std::string_view text = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    const size_t bad = first_invalid_utf8(text);
    check(bad == text.size(), "", path.string(), ":", line,
          ": expected UTF-8, found another byte at column ", bad + 1);
    if (text.find_first_not_of(" \t") == std::string_view::npos) continue;
    all.items.push_back(example_of(std::string(text)));
    all.items.back().line = line;
  }
  check(!all.items.empty(), "", path.string(), ": expected texts, one a line, found none");
  return all;
}

// The examples and behind them texts without labels.
Features behind(const Features& first, const Features& unlabelled) {
  std::vector<Feature> all;
  for (const Features* part : {&first, &unlabelled})
    for (int64_t i = 0; i < part->size(); ++i) all.push_back((*part)[i]);
  for (auto i = static_cast<size_t>(first.size()); i < all.size(); ++i)
    forget_label(all[i], all.front());
  return Features(std::move(all));
}

}  // namespace

std::shared_ptr<const Features> with_more(std::shared_ptr<const Features> features,
                                          const MoreExamples& more, const TokenOptions& tokens,
                                          uint64_t seed) {
  if (!more.unlabelled.empty())
    features = std::make_shared<const Features>(behind(
        *features,
        Features(unlabelled_examples(more.unlabelled), tokens.tokenizer, tokens.max_length)));
  if (more.augmentation.copies > 0) {
    const int32_t mask =
        more.augmentation.masking > 0 ? tokens.tokenizer.vocabulary().mask() : kIgnore;
    features = std::make_shared<const Features>(
        with_copies(*features, more.augmentation, mask, Random(seed).split("augmentation")));
  }
  return features;
}

}  // namespace ink
