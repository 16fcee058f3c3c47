// Cilin: synonyms from a dictionary in the format of Tongyici Cilin (Mei et al. 1983).
//
//   Aa01A01= 人 士 人物 人士 人氏 人选
//   Aa01A02= 人类 生人 全人类
//   Aa01B03# 良民 顺民
//   Aa01C05@ 众学生
//
// A code of five levels, then its words. Only groups whose code ends in "=" are synonyms; "#" marks
// words that are merely related (the same kind of thing), "@" a word alone.
//
// Some copies of the file are in GBK. They are refused; `iconv -f GBK -t UTF-8` converts them.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "text/word_neighbours.h"

namespace ink {

// The other words of each word's synonym groups, in the order of the file, at most `most` of them,
// all with the similarity 1. Raises Error that names the line for a malformed code, a group without
// words, bytes that are not UTF-8, and a file without synonyms.
WordNeighbours load_cilin(const std::filesystem::path& path, int64_t most = 10);
WordNeighbours parse_cilin(std::string_view content, const std::string& source, int64_t most = 10);

// Whether a content begins with a code of this format.
bool begins_as_cilin(std::string_view content);

}  // namespace ink
