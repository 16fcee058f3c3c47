// SQuAD's files.
#include "tasks/questions.h"

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/keys.h"
#include "text/normalize.h"

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{8} << 30;

// Where the answer stands in the context: at `begin`, or else where it does first.
Span place_of(std::u32string_view answer, std::u32string_view context, int64_t begin) {
  auto at = static_cast<size_t>(begin);
  const bool there = begin >= 0 && at <= context.size() && context.substr(at).starts_with(answer);
  if (!there) at = context.find(answer);
  if (at == std::u32string_view::npos) return {};
  return {static_cast<int32_t>(at), static_cast<int32_t>(at + answer.size())};
}

std::vector<Answer> answers_in(const Json& list, std::u32string_view context,
                               const std::string& where) {
  std::vector<Answer> answers;
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& answer = list.object(i);
    const std::string& text = answer.string("text");
    check(is_visible(text), "", where, ": expected an answer that is part of the context, got ",
          in_quotes(text), ", in which nothing is to be seen");
    answers.push_back({text, place_of(decode_utf8(text), context, answer.integer("answer_start"))});
  }
  return answers;
}

struct Paragraph {
  std::shared_ptr<const std::string> context;
  std::u32string decoded;
  std::string group;
};

Question question_in(const Json& json, const Paragraph& paragraph, const Questions& all,
                     bool answered) {
  Question question{.id = json.string("id", std::to_string(all.size() + 1)),
                    .text = json.string("question"),
                    .context = paragraph.context,
                    .group = paragraph.group};
  const std::string where = all.source + ": question " + in_quotes(question.id);
  if (json.has("answers"))
    question.answers = answers_in(json.array("answers"), paragraph.decoded, where);
  check(!answered || !question.answers.empty(), "", where,
        ": expected an answer in `answers`; questions that have none are not for this task");
  return question;
}

}  // namespace

bool is_visible(std::string_view text) {
  const std::u32string left = normalize(decode_utf8(text)).text;
  return left.find_first_not_of(U' ') != std::u32string::npos;
}

Questions parse_questions(std::string_view text, const std::string& source, bool answered) {
  Questions all{{}, source};
  const Json file = parse_json(text, source);
  check(file.is_object() && file.has("data"), "", source,
        ": expected a JSON file of SQuAD's form, an object with \"data\"");
  int64_t paragraphs = 0;
  for (size_t a = 0; a < file.array("data").size(); ++a) {
    const Json& list = file.array("data").object(a).array("paragraphs");
    for (size_t p = 0; p < list.size(); ++p) {
      const Json& json = list.object(p);
      const std::string& context = json.string("context");
      check(is_visible(context), "", json.where("context"), ": expected a text, got ",
            in_quotes(context), ", in which nothing is to be seen");
      const Paragraph paragraph{std::make_shared<const std::string>(context), decode_utf8(context),
                                std::to_string(++paragraphs)};
      for (size_t q = 0; q < json.array("qas").size(); ++q)
        all.items.push_back(question_in(json.array("qas").object(q), paragraph, all, answered));
    }
  }
  check(!all.items.empty(), "", source, ": expected questions, found none");
  return all;
}

Questions read_questions(const std::filesystem::path& path, bool answered) {
  return parse_questions(read_file(path, kMaxFileBytes), path.string(), answered);
}

}  // namespace ink
