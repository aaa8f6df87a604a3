#include "lab/site/html.h"

#include <gtest/gtest.h>

#include "lab/site/term_links.h"

namespace mini::lab {
namespace {

TEST(HtmlTest, EscapesWhatHasAMeaningThere) {
  EXPECT_EQ(escape_html("a<b> & \"c\"\x1b\n"), "a&lt;b&gt; &amp; &quot;c&quot;\n");
}

TEST(HtmlTest, ReadsALittleMarkdown) {
  EXPECT_EQ(inline_html("`a*b*<c>` and *x* and **y**"),
            "<code>a*b*&lt;c&gt;</code> and <em>x</em> and <strong>y</strong>");
  EXPECT_EQ(inline_html("3 * 4 and `open"), "3 * 4 and `open");
  EXPECT_EQ(inline_html("[there](#x), [file](docs/x.md)"), "<a href=\"#x\">there</a>, file");
}

TEST(HtmlTest, LinksEachTermAtItsFirstOccurrence) {
  EXPECT_EQ(link_terms("the top chunk, the top chunk"),
            "the <a class=\"term\" href=\"glossary.html#top-chunk\">top chunk</a>, the top chunk");
}

TEST(HtmlTest, LinksWholeWordsOnlyAndPlurals) {
  EXPECT_EQ(link_terms("chunky").find("<a"), std::string::npos);
  EXPECT_EQ(link_terms("Chunks"), "<a class=\"term\" href=\"glossary.html#chunk\">Chunks</a>");
}

TEST(HtmlTest, LinksNothingInCodeOrLinks) {
  const std::string text = R"(<code>chunk</code> <a href="x">chunk</a> <em title="chunk">x</em>)";
  EXPECT_EQ(link_terms(text), text);
}

TEST(HtmlTest, KeepsLinesThatBeginWithASpace) {
  const std::string html = paragraphs_html("One.\n\n  a < b\n  c\n\nTwo.");
  EXPECT_EQ(html, "<p>One.</p>\n<pre>  a &lt; b\n  c</pre>\n<p>Two.</p>\n");
}

TEST(HtmlTest, ALineOfASourceIsAnElementThatThePageNumbers) {
  EXPECT_EQ(source_html("int a < 1;\n\n}\n"),
            "<pre class=\"source\"><span>int a &lt; 1;</span>\n<span></span>\n<span>}</span>\n"
            "</pre>\n");
}

}  // namespace
}  // namespace mini::lab
