// Questions about texts, whose answers are parts of them: files of SQuAD's form, which CMRC 2018,
// DRCD and XQuAD have too.
//
//   {"data": [{"paragraphs": [{"context": "…", "qas": [
//       {"id": "Q1", "question": "…", "answers": [{"text": "…", "answer_start": 17}]}]}]}]}
//
// Other members are passed over. answer_start counts characters (code points). Where an answer does
// not stand there the first place counts where it does; one that stands nowhere is only compared
// with what a model says.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/utf8.h"

namespace ink {

struct Answer {
  std::string text = {};
  Span place = {};  // in code points of the context; empty where it stands nowhere
};

struct Question {
  std::string id = {}, text = {};
  std::shared_ptr<const std::string> context = {};  // of all questions of a paragraph
  std::vector<Answer> answers = {};
  std::string group = {};  // its paragraph
};

struct Questions {
  std::vector<Question> items;
  std::string source;  // file name, for messages
  size_t size() const { return items.size(); }
};

// Whether it has more than blanks and what normalization deletes (text/normalize.h).
bool is_visible(std::string_view text);

// Raises Error, naming file and place, for a file of another form, a context or an answer that is
// not visible, and with `answered` a question without answers. An empty question is one like
// others: CMRC 2018 has some.
Questions read_questions(const std::filesystem::path& path, bool answered = true);
// The same from text in memory.
Questions parse_questions(std::string_view text, const std::string& source, bool answered = true);

}  // namespace ink
