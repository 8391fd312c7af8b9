"""Push: pings that are due, and who subscribed to which feed."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
