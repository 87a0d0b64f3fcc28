"""The leaderboard and the report: tables in Markdown, figures, and one page of HTML."""
