"""What feeds need beyond topics: archive pages, other channels, shares, former names."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
