// Tagged text: sentences of units, characters or words, each with a tag, as data for NER come.
//
// A file has one unit a line, its tag behind it, and a blank line between sentences:
//
//   中 B-ORG
//   共 I-ORG
//   致 O
//
// Fields are separated by blanks; the unit is the first, the tag the last (CoNLL-2003 has two more
// between). Lines with -DOCSTART- begin a document. An I-X that continues no X begins an entity, as
// in IOB1, and becomes B-X; so IOB1 and BIO files read alike.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/features.h"
#include "tasks/labels.h"
#include "tasks/task.h"
#include "text/tokenizer.h"

namespace ink {

struct TaggedSentence {
  std::vector<std::string> units;
  std::vector<int32_t> tags = {};  // one for each unit; empty: not known
  int64_t line = 0;                // of the first unit in its file, from 1
  std::string group = {};          // its document; empty: a group of its own
};

struct TaggedText {
  std::vector<TaggedSentence> items;
  Labels labels;
  std::string source;  // file name, for messages
  size_t size() const { return items.size(); }
};

// With `labels` a tag must be one of them (`advice` says what to do about another); without, they
// are collected from the data. Raises Error "file:line: …" for a missing or empty file, a line
// without a tag and an unknown tag.
TaggedText read_tagged(const std::filesystem::path& path, const Labels* labels = nullptr,
                       const std::string& advice = "");
// The same from text in memory.
TaggedText parse_tagged(std::string_view text, const std::string& source,
                        const Labels* labels = nullptr, const std::string& advice = "");
// The units alone: a line needs no tag, and whatever it has is not read.
TaggedText read_untagged(const std::filesystem::path& path, const Labels& labels);

// The lines of a file for one sentence, the blank one behind it included.
std::string as_lines(const TaggedSentence& sentence, const Labels& labels);

// Every unit is tokenized by itself, one that leaves no token is [UNK]; its first token has the
// unit's tag, the others have none. Units beyond max_length are lost. Where tags are not known they
// count as tag 0, so that predict_tags answers for every unit.
Features tagged_features(const TaggedText& text, const TokenOptions& tokens);

// (N, L) of a batch. Raises Error without a tagging head.
Tensor tag_logits(const Model& model, const Packed& batch, const EncoderOptions& options = {});
// The mean cross-entropy of the tags, weighted by their number.
MicroLoss tagging_loss(const Model& model, const FeatureBatch& batch,
                       const EncoderOptions& options);

struct TagPredictions {
  std::vector<std::vector<int32_t>> tags;  // of each sentence, the most probable for each unit read
  double loss = 0;                         // mean of −log p(true tag)
};
// In the order of the sentences. Raises Error where scores are no numbers.
TagPredictions predict_tags(const Model& model, const Features& data);
TagPredictions predict_tags(const LogitsOf& logits, const Features& data);

// The tags of lines of which only the units are known, the first of them line `first_line`; none
// for a line without units.
std::vector<std::vector<int32_t>> predict_line_tags(
    const Model& model, const std::vector<std::vector<std::string>>& units, int64_t first_line,
    const TokenOptions& tokens);

// Whether the architectures of a model name a tagging head, and its labels; raises Error for
// another model.
bool tags_tokens(const ModelConfig& config);
Labels tags_of(const ModelConfig& config);
void set_tagging_dropout(Model& model, double probability);

// Sentences of training and development: two files, or whole documents of one.
std::pair<TaggedText, TaggedText> read_both_tagged(const TaskData& data, const Labels* labels,
                                                   uint64_t seed);

// The sets of a task on tagged text, which are made by `make`: of train and dev, and of one file.
using MakeTaggedSet = TaskSet (*)(TaggedText text, const TokenOptions& tokens);
std::pair<TaskSet, TaskSet> read_both_sets(MakeTaggedSet make, const TaskData& data,
                                           const Labels* labels, uint64_t seed,
                                           const TokenOptions& tokens);
TaskSet read_set(MakeTaggedSet make, const std::filesystem::path& file, const ReadOptions& options,
                 const Labels& labels, const TokenOptions& tokens);

}  // namespace ink
